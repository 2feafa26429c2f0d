"""A package, because a dependency of `sagemaker` (smdebug-rulesconfig) installs one of the same name, which would win."""
