"""The paper's claims as rules on results.

`CLAIMS` holds what is claimed, how it is measured and when it counts as true, with the reasons; `judge` applies that to
a table of results, in the scaling regime and over all N. The rules were written down before they were applied to any result,
but for those marked `Claim.changed`, and the scaling regime itself; `held_out` tries these on results that were not used to
choose them.
"""

from pruning_phases.claims.dropout import CLAIMS
from pruning_phases.claims.engine import VERDICTS, Claim, decide, judge_claim
from pruning_phases.claims.evidence import MISFIT, Evidence
from pruning_phases.claims.table import COLUMNS, judge, judge_evidence, verdicts_at
from pruning_phases.claims.text import (
    as_json,
    as_text,
    carriers_in_words,
    changes,
    contradicted_in_words,
    regime_in_words,
    summary_in_words,
    tally,
)
from pruning_phases.claims.unseen import at_stake, data_sets, held_out, held_out_in_words, held_out_table
