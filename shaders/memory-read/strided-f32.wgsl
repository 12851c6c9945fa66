// sums[j] is the sum of a[i * lanes + j] over i. One invocation takes {{ unit }} neighbouring lane(s).
{% set type = "vec4<f32>" if unit == 4 else "f32" %}
{% set rows = units // columns %}
{% set rest = units % columns %}

@group(0) @binding(0) var<storage, read> a: array<{{ type }}>;
@group(0) @binding(1) var<storage, read_write> sums: array<{{ type }}>;

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG }}u + lane;
{% if columns % WG != 0 or groups != fold_x(groups) * fold_y(groups) %}
    if (column >= {{ columns }}u) {
        return;
    }
{% endif %}
{% for u in range(UNROLL) %}
    var sum{{ u }} = {{ type }}();
{% endfor %}
    var at = column;
    for (var i = 0u; i < {{ rows // UNROLL }}u; i++) {
{% for u in range(UNROLL) %}
        sum{{ u }} += a[at + {{ u * columns }}u];
{% endfor %}
        at += {{ UNROLL * columns }}u;
    }
{% for u in range(rows % UNROLL) %}
    sum{{ u }} += a[at + {{ u * columns }}u];
{% endfor %}
{% if rest != 0 %}
    if (column < {{ rest }}u) {
        sum0 += a[at + {{ (rows % UNROLL) * columns }}u];
    }
{% endif %}
    sums[column] = {% for u in range(UNROLL) %}{{ " + " if not loop.first }}sum{{ u }}{% endfor %};
}
