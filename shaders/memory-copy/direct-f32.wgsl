// c = a, bit for bit.
{% set type = "vec4<u32>" if unit == 4 else "u32" %}
{% set ragged = units % (WG * PER) != 0 or groups != fold_x(groups) * fold_y(groups) %}

// Copied as integers: a float path may change the bits of a NaN.
@group(0) @binding(0) var<storage, read> a: array<{{ type }}>;
@group(0) @binding(1) var<storage, read_write> c: array<{{ type }}>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * PER }}u + lane;
{% for p in range(PER) %}
    let at{{ p }} = first + {{ p * WG }}u;
    let value{{ p }} = a[{% if ragged %}min(at{{ p }}, {{ units - 1 }}u){% else %}at{{ p }}{% endif %}];
{% endfor %}
{% for p in range(PER) %}
{% if ragged %}
    if (at{{ p }} < {{ units }}u) {
        c[at{{ p }}] = value{{ p }};
    }
{% else %}
    c[at{{ p }}] = value{{ p }};
{% endif %}
{% endfor %}
}
