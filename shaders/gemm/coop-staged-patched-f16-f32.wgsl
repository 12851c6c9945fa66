{% set acc, mode, hint = "f32", "staged", UNROLL %}
{% include "coop-gemm.wgsl" %}
