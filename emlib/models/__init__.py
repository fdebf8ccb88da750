"""Models that are more than a mixture of exponential families, one a file."""

from emlib.models.factor_analysis import FactorAnalysis, FactorParams
from emlib.models.student import Student, StudentMixture, Students

__all__ = ["FactorAnalysis", "FactorParams", "Student", "StudentMixture", "Students"]
