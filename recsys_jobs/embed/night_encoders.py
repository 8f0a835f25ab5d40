"""The encoders of a night, those trained from scratch on its own cut among them."""

from __future__ import annotations

from datetime import date

from recsys_jobs.contracts.settings import Settings
from recsys_jobs.embed.from_scratch.sizes import ENCODER_SIZES


def night_settings(settings: Settings, run_date: date) -> Settings:
    """Return settings that name the night's encoders from scratch, where the configuration asks for any."""
    if not {settings.text_encoder, settings.image_encoder} & set(ENCODER_SIZES):
        return settings  # what follows loads torch
    from recsys_jobs.embed.from_scratch.encoders import encoders_of_cut
    from recsys_jobs.lake.cuts import exam_cut

    return encoders_of_cut(settings, exam_cut(run_date)[0])
