//! What a task sequence is: steps, groups, conditions, variables, validation. No I/O.
