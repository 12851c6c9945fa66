// a = b + 0.4 * c.
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% set ragged = units % (WG * PER) != 0 or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> b: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> c: array<{{ type }}>;
@group(0) @binding(2) var<storage, read_write> a: array<{{ type }}>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * PER }}u + lane;
{% for p in range(PER) %}
    let at{{ p }} = first + {{ p * WG }}u;
    let from{{ p }} = {% if ragged %}min(at{{ p }}, {{ units - 1 }}u){% else %}at{{ p }}{% endif %};
    let value{{ p }} = fma({{ type }}(0.4), c[from{{ p }}], b[from{{ p }}]);
{% endfor %}
{% for p in range(PER) %}
{% if ragged %}
    if (at{{ p }} < {{ units }}u) {
        a[at{{ p }}] = value{{ p }};
    }
{% else %}
    a[at{{ p }}] = value{{ p }};
{% endif %}
{% endfor %}
}
