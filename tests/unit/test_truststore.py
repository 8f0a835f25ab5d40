"""What the system trusts reaches a JVM that has a list of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from cryptography.x509.oid import NameOID

from spark import truststore


def _authority() -> x509.Certificate:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A company's proxy")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )


def test_authority_added_to_the_system_is_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = _authority()
    (tmp_path / "system.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    options = dict(option.removeprefix("-D").split("=", 1) for option in truststore.java_options(tmp_path).split())
    stored = Path(options["javax.net.ssl.trustStore"]).read_bytes()
    kept = load_pkcs12(stored, options["javax.net.ssl.trustStorePassword"].encode()).additional_certs
    assert [each.certificate for each in kept] == [authority]
    assert options["javax.net.ssl.trustStoreType"] == "PKCS12"


def test_system_that_trusts_nobody_leaves_java_its_own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert truststore.java_options(tmp_path) == ""
