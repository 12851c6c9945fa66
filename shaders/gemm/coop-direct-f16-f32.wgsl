{% set acc = "f32" %}
{% include "coop-gemm-direct.wgsl" %}
