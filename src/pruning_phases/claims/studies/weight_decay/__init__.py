"""The onset of learning under an L2 penalty: chains of networks, exact branches, escape; made once by ``make weight-decay``."""

from pruning_phases.claims.studies.weight_decay.chains import N_TRAIN
from pruning_phases.claims.studies.weight_decay.study import LINEAR_STRENGTHS, evidence
from pruning_phases.claims.studies.weight_decay.tables import (
    amentia_chain,
    areas_table,
    end_in_words,
    ends_table,
    escape_fit,
    jumps_table,
    linear_in_words,
    linear_table,
    onset_sentences,
    published_table,
)
from pruning_phases.claims.text import verdict_table
