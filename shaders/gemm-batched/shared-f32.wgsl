// c[i] = a[i] * b[i]: a {{ BM }} x {{ BN }} tile per workgroup, {{ TM }} x {{ TN }} per invocation, {{ BK }} of k at a time.
{% set operand = "f32" %}
{% set acc = "f32" %}
{% set out = "f32" %}
{% set planes = batch %}
{% set clamped = false %}
{% set ragged_m = m % BM != 0 %}
{% set ragged_n = n % BN != 0 %}
{% set ragged_k = k % BK != 0 %}
{% include "matrix-loads.wgsl" %}

{% include "shared-tile.wgsl" %}
