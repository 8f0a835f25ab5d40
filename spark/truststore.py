"""The certificates that this machine trusts, as Java reads them.

A Java that came inside a wheel brings a list of its own, and knows nothing of an authority that was added to the
system, such as that of a company's proxy.
"""

from __future__ import annotations

import secrets
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore


def java_options(folder: Path) -> str:
    """Options that make a JVM trust what OpenSSL does, by a file made in `folder`; "" where it names none.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` name other certificates, as everywhere.
    """
    system_certificates = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not system_certificates:
        return ""
    password = secrets.token_hex()  # the format asks for one; there is nothing secret in the file
    certificates = [x509.load_der_x509_certificate(certificate) for certificate in system_certificates]
    entries = [PKCS12Certificate(certificate, f"{number}".encode()) for number, certificate in enumerate(certificates)]
    store = folder / "trusted.p12"
    store.write_bytes(serialize_java_truststore(entries, BestAvailableEncryption(password.encode())))
    properties = {"trustStore": store, "trustStoreType": "PKCS12", "trustStorePassword": password}
    return " ".join(f"-Djavax.net.ssl.{name}={value}" for name, value in properties.items())
