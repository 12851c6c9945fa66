enable f16;

// c[i] = a[i] * b[i], f16 operands, f32 sums: a {{ bm }} x {{ bn }} tile per workgroup, {{ tm }} x {{ tn }} per invocation, {{ BK }} of k at a time.
{% set operand = "f16" %}
{% set acc = "f32" %}
{% set out = "f32" %}
{% set planes = batch %}
{% set splits = 1 %}
{% set clamped = false %}
{% set ragged_m = m % bm != 0 %}
{% set ragged_n = n % bn != 0 %}
{% set ragged_k = k % BK != 0 %}
{% include "matrix-loads.wgsl" %}

{% include "shared-tile.wgsl" %}
