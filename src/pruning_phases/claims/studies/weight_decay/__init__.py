"""The onset of learning under an L2 penalty: chains of networks, exact branches, escape; made once by ``make weight-decay``."""

from pruning_phases.claims.studies.weight_decay.chains import CHAINS, Chain
from pruning_phases.claims.studies.weight_decay.study import evidence, ship

__all__ = ["CHAINS", "Chain", "evidence", "ship"]
