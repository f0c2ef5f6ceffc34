"""RoleSynth Assets: role-diverse synthetic captions and problems as partitioned assets."""
