-- Each turn writes some ten rows into `observability`, and each row an entry into every index of it. Nothing asks by kind alone.
DROP INDEX observability_by_kind;
