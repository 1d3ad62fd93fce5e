"""From a signed application to a decision: Stage 1 checks, Stage 2, panel, the decision and its notices."""
