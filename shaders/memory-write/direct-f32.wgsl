// c[i] = base[i mod 4] + i, modulo 2^32.
{% set type = "vec4<u32>" if unit == 4 else "u32" %}
{% set ragged = units % (WG * PER) != 0 or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> base: array<{{ type }}>;
@group(0) @binding(1) var<storage, read_write> c: array<{{ type }}>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * PER }}u + lane;
{% if unit == 4 %}
    let word = base[0] + vec4<u32>(0u, 1u, 2u, 3u);
{% endif %}
{% for p in range(PER) %}
    let at{{ p }} = first + {{ p * WG }}u;
{% set value = "word + 4u * at" ~ p if unit == 4 else "base[at" ~ p ~ " % 4u] + at" ~ p %}
{% if ragged %}
    if (at{{ p }} < {{ units }}u) {
        c[at{{ p }}] = {{ value }};
    }
{% else %}
    c[at{{ p }}] = {{ value }};
{% endif %}
{% endfor %}
}
