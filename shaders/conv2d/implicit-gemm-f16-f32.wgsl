enable f16;

// y = w * patches of x, f16 operands, f32 sums: a {{ BM }} x {{ BN }} tile per workgroup, {{ TM }} x {{ TN }} per invocation, {{ BK }} of k at a time.
{% set operand = "f16" %}
{% set acc = "f32" %}
{% set out = "f32" %}
{% set planes = 1 %}
{% set clamped = false %}
{% set ragged_m = m % BM != 0 %}
{% set ragged_n = n % BN != 0 %}
{% set ragged_k = k % BK != 0 %}
{% include "image-loads.wgsl" %}

{% include "shared-tile.wgsl" %}
