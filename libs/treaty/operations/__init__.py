"""Operations of people and jobs on a context: inspection, audit, rebuild and replay."""
