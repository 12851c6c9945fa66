enable f16;

// n oscillators, each `steps` times x = fma(-S, y, x); y = fma(S, x, y). Four oscillators share a pair of vec4, and
// {{ CHAINS }} such pairs per invocation are independent of each other, so that latency is hidden without occupancy.
{% set ragged = n4 % (WG * CHAINS) != 0 or groups != fold_x(groups) * fold_y(groups) %}
{% set wide = n % 4 == 0 %}

const S = vec4<f16>({{ 13 / 32 }});

@group(0) @binding(0) var<storage, read> state: array<{{ "vec4<f16>" if wide else "f16" }}>;
@group(0) @binding(1) var<storage, read_write> result: array<{{ "vec4<f16>" if wide else "f16" }}>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * CHAINS }}u + lane;
{% for c in range(CHAINS) %}
    let quad{{ c }} = first + {{ c * WG }}u;
{% if wide %}
    let at{{ c }} = 2u * {% if ragged %}min(quad{{ c }}, {{ n4 - 1 }}u){% else %}quad{{ c }}{% endif %};
    let low{{ c }} = state[at{{ c }}];
    let high{{ c }} = state[at{{ c }} + 1u];
    var x{{ c }} = vec4<f16>(low{{ c }}.xz, high{{ c }}.xz);
    var y{{ c }} = vec4<f16>(low{{ c }}.yw, high{{ c }}.yw);
{% else %}
    var x{{ c }} = vec4<f16>(
{% for i in range(4) %}
        state[2u * min(4u * quad{{ c }} + {{ i }}u, {{ n - 1 }}u)],
{% endfor %}
    );
    var y{{ c }} = vec4<f16>(
{% for i in range(4) %}
        state[2u * min(4u * quad{{ c }} + {{ i }}u, {{ n - 1 }}u) + 1u],
{% endfor %}
    );
{% endif %}
{% endfor %}

{% macro step(indent) %}
{% for c in range(CHAINS) %}
{{ indent }}x{{ c }} = fma(-S, y{{ c }}, x{{ c }});
{% endfor %}
{% for c in range(CHAINS) %}
{{ indent }}y{{ c }} = fma(S, x{{ c }}, y{{ c }});
{% endfor %}
{% endmacro %}
    for (var i = 0u; i < {{ steps // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
{{ step("        ") }}
{%- endfor %}
    }
{% for u in range(steps % UNROLL) %}
{{ step("    ") }}
{%- endfor %}

{% for c in range(CHAINS) %}
{% if wide %}
{% if ragged %}
    if (quad{{ c }} < {{ n4 }}u) {
{% else %}
    {
{% endif %}
        result[2u * quad{{ c }}] = vec4<f16>(x{{ c }}.x, y{{ c }}.x, x{{ c }}.y, y{{ c }}.y);
        result[2u * quad{{ c }} + 1u] = vec4<f16>(x{{ c }}.z, y{{ c }}.z, x{{ c }}.w, y{{ c }}.w);
    }
{% else %}
{% for part in ["x", "y", "z", "w"] %}
    if (4u * quad{{ c }} + {{ loop.index0 }}u < {{ n }}u) {
        result[8u * quad{{ c }} + {{ 2 * loop.index0 }}u] = x{{ c }}.{{ part }};
        result[8u * quad{{ c }} + {{ 2 * loop.index0 + 1 }}u] = y{{ c }}.{{ part }};
    }
{% endfor %}
{% endif %}
{% endfor %}
}
