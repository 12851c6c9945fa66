enable f16;

// y = silu(gate) * up, silu(g) = g / (1 + exp(-g)).
{% set half = true %}
{% set operands = ["gate", "up"] %}
{% set result = "y" %}
{% set type = "vec4<f32>" if unit == 8 else "f32" %}
{% include "elementwise.wgsl" %}

fn apply(gate: {{ type }}, up: {{ type }}) -> {{ type }} {
    return gate / (1.0 + exp(-gate)) * up;
}
