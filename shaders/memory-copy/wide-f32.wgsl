// c = a, bit for bit, {{ unit }} element(s) at a time.
{% set type = "vec4<u64>" if unit == 8 else "u32" %}
{% set ragged = units % (WG * PER * RUN) != 0 or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> a: array<{{ type }}>;
@group(0) @binding(1) var<storage, read_write> c: array<{{ type }}>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * PER * RUN }}u + lane;
    for (var i = 0u; i < {{ RUN }}u; i++) {
{% for p in range(PER) %}
        let at{{ p }} = first + i * {{ WG * PER }}u + {{ p * WG }}u;
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
}
