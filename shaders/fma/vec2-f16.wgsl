enable f16;

// n oscillators, each `steps` times x = x - factor * y; y = y + factor * x. 2 oscillators share a pair of vec2, and
// {{ CHAINS }} such pairs per invocation are independent of each other, so that latency is hidden without occupancy.
{% set scalar = "f16" %}
{% set plus = "0.40625" %}
{% set minus = "-0.40625" %}
{% set fused = true %}
{% include "fma-chains.wgsl" %}
