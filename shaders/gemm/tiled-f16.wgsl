enable f16;

// c = a * b, f16 operands, sums and results: {{ rows }} rows and {{ cols }} groups of four columns per invocation, in registers.
{% set operand = "f16" %}
{% set acc = "f16" %}
{% set out = "f16" %}
{% set planes = 1 %}
{% set splits = 1 %}
{% set clamped = true %}
{% set ragged_m = m % (wy * rows) != 0 %}
{% set ragged_n = ceil_div(n, 4) % (wx * cols) != 0 %}
{% set ragged_k = false %}
{% include "matrix-loads.wgsl" %}

{% include "register-tile.wgsl" %}
