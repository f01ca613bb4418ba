"""What claims measure: evidence (`claims.evidence.Evidence`) -> `claims.engine.Finding`, shared by the claims of all papers."""
