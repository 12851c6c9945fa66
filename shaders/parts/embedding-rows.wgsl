{# Copies a row of the table for every token, {{ LANES }} lane(s) per token. The including file sets `type`, which holds `unit`
   elements and is never converted, so that every bit arrives. #}
{% set full = units // LANES %}
{% set rest = units % LANES %}
{% set ragged = tokens != groups * sets or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> table: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<{{ type }}>;

@compute @workgroup_size({{ GROUP }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let lane = id % {{ LANES }}u;
    let token = (group.y * {{ fold_x(groups) }}u + group.x) * {{ sets }}u + id / {{ LANES }}u;
{% if ragged %}
    if (token >= {{ tokens }}u) {
        return;
    }
{% endif %}
    let source = ids[token] * {{ units }}u + lane;
    let start = token * {{ units }}u + lane;
{% if full // UNROLL > 0 %}
    for (var i = 0u; i < {{ full // UNROLL * UNROLL * LANES }}u; i += {{ UNROLL * LANES }}u) {
{% for u in range(UNROLL) %}
        let unit{{ u }} = table[source + i + {{ u * LANES }}u];
{% endfor %}
{% for u in range(UNROLL) %}
        out[start + i + {{ u * LANES }}u] = unit{{ u }};
{% endfor %}
    }
{% endif %}
{% for u in range(full // UNROLL * UNROLL, full) %}
    out[start + {{ u * LANES }}u] = table[source + {{ u * LANES }}u];
{% endfor %}
{% if rest != 0 %}
    if (lane < {{ rest }}u) {
        out[start + {{ full * LANES }}u] = table[source + {{ full * LANES }}u];
    }
{% endif %}
}
