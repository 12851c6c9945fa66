{# One result per element of the operands: {{ PER }} units of `unit` elements per invocation, one workgroup's width apart.
   The including file sets `operands`, `result`, `half` and `type`, and writes fn apply of `type`. #}
{% set ragged = units % (WG * PER) != 0 or groups != fold_x(groups) * fold_y(groups) %}
{% set stored = type if not half else "Half8" if unit == 8 else "f16" %}
{% if stored == "Half8" %}

// 16 bytes.
struct Half8 {
    low: vec4<f16>,
    high: vec4<f16>,
}
{% endif %}

{% for name in operands %}
@group(0) @binding({{ loop.index0 }}) var<storage, read> {{ name }}: array<{{ stored }}>;
{% endfor %}
@group(0) @binding({{ operands|length }}) var<storage, read_write> {{ result }}: array<{{ stored }}>;

{# The function's call on part `part` of every operand of unit `p`. #}
{% macro applied(p, part) %}
apply({% for name in operands %}{{ ", " if not loop.first }}{% if half %}{{ type }}({{ name }}{{ p }}{{ part }}){% else %}{{ name }}{{ p }}{% endif %}{% endfor %})
{%- endmacro %}
@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * PER }}u + lane;
{% for p in range(PER) %}
    let at{{ p }} = first + {{ p * WG }}u;
    let from{{ p }} = {% if ragged %}min(at{{ p }}, {{ units - 1 }}u){% else %}at{{ p }}{% endif %};
{% for name in operands %}
    let {{ name }}{{ p }} = {{ name }}[from{{ p }}];
{% endfor %}
{% endfor %}
{% for p in range(PER) %}
{% if stored == "Half8" %}
    let value{{ p }} = Half8(vec4<f16>({{ applied(p, ".low") }}), vec4<f16>({{ applied(p, ".high") }}));
{% elif half %}
    let value{{ p }} = f16({{ applied(p, "") }});
{% else %}
    let value{{ p }} = {{ applied(p, "") }};
{% endif %}
{% if ragged %}
    if (at{{ p }} < {{ units }}u) {
        {{ result }}[at{{ p }}] = value{{ p }};
    }
{% else %}
    {{ result }}[at{{ p }}] = value{{ p }};
{% endif %}
{% endfor %}
}
