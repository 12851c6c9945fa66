// n oscillators, each `steps` times x = x - factor * y; y = y + factor * x. 4 oscillators share a pair of vec4, and
// {{ CHAINS }} such pairs per invocation are independent of each other, so that latency is hidden without occupancy.
{% set scalar = "i32" %}
{% set plus = "1327217885" %}
{% set minus = "-1327217885" %}
{% set fused = false %}
{% include "fma-chains.wgsl" %}
