// n oscillators, each `steps` times x = x - factor * y; y = y + factor * x. 2 oscillators share a pair of vec2, and
// {{ CHAINS }} such pairs per invocation are independent of each other, so that latency is hidden without occupancy.
{% set scalar = "f64" %}
{% set plus = "0.40625lf" %}
{% set minus = "-0.40625lf" %}
{% set fused = true %}
{% include "fma-chains.wgsl" %}
