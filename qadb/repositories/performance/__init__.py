"""What performance runs measured, against baselines and SLAs."""
