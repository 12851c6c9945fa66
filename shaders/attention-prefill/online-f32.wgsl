// o = softmax(q * k^T / sqrt(dim)) * v with a causal mask, one pass over the keys: the running maximum and sum are
// corrected as larger scores appear. {{ split }} lane(s) share {{ QUERIES }} query(s); a lane owns {{ own }} vec4 of each.
{% set wide = dim % 4 == 0 %}
{% set ragged = seq % block != 0 %}
{% set type = "vec4<f32>" if wide else "f32" %}

// Below every score, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;
// 1 / sqrt(dim), and log2(e) because exp2 is what devices compute.
const SCALE = {{ 1.4426950408889634 / dim ** 0.5 }};

@group(0) @binding(0) var<storage, read> q: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> k: array<{{ type }}>;
@group(0) @binding(2) var<storage, read> v: array<{{ type }}>;
@group(0) @binding(3) var<storage, read_write> o: array<{{ type }}>;
{% if split > 1 %}

// Parts of scores, in two halves that alternate, so that one barrier per step is enough.
var<workgroup> parts: array<f32, {{ 2 * threads * QUERIES * KEYS }}>;
{% endif %}

{% for name in ["q", "k", "v"] %}
// Four elements of row `row` of {{ name }}, from dimension 4 * `at`.
fn load_{{ name }}(row: u32, at: u32) -> vec4<f32> {
{% if wide %}
    return {{ name }}[row * {{ d4 }}u + at];
{% else %}
    let start = row * {{ dim }}u;
    let first = 4u * at;
    return vec4<f32>(
{% for i in range(4) %}
        select(0.0, {{ name }}[start + min(first + {{ i }}u, {{ dim - 1 }}u)], first + {{ i }}u < {{ dim }}u),
{% endfor %}
    );
{% endif %}
}

{% endfor %}
fn store_o(row: u32, at: u32, value: vec4<f32>) {
{% if wide %}
    o[row * {{ d4 }}u + at] = value;
{% else %}
    let first = 4u * at;
    let start = row * {{ dim }}u + first;
{% for part in ["x", "y", "z", "w"] %}
    if (first + {{ loop.index0 }}u < {{ dim }}u) {
        o[start + {{ loop.index0 }}u] = value.{{ part }};
    }
{% endfor %}
{% endif %}
}
{# Index of this lane's vec4 number e. #}
{% macro at(e) %}{% if split > 1 %}lane + {{ e * split }}u{% else %}{{ e }}u{% endif %}{% endmacro %}
{# Keys base .. base + KEYS; masked where a key may lie after a query. #}
{% macro step(masked) %}
{% for j in range(KEYS) %}
        let key{{ j }} = {% if masked %}min(base + {{ j }}u, {{ seq - 1 }}u){% else %}base + {{ j }}u{% endif %};
{% for e in range(own) %}
        let k{{ j }}_{{ e }} = load_k(kv_row + key{{ j }}, {{ at(e) }});
{% endfor %}
{% for i in range(QUERIES) %}
        var dot{{ i }}_{{ j }} = q{{ i }}_0 * k{{ j }}_0;
{% for e in range(1, own) %}
        dot{{ i }}_{{ j }} = fma(q{{ i }}_{{ e }}, k{{ j }}_{{ e }}, dot{{ i }}_{{ j }});
{% endfor %}
        var score{{ i }}_{{ j }} = dot(dot{{ i }}_{{ j }}, vec4<f32>(1.0));
{% endfor %}
{% endfor %}
{% if split > 1 %}
{% for i in range(QUERIES) %}
{% for j in range(KEYS) %}
        parts[half + {{ (i * KEYS + j) * threads }}u + id] = score{{ i }}_{{ j }};
{% endfor %}
{% endfor %}
        workgroupBarrier();
{% for i in range(QUERIES) %}
{% for j in range(KEYS) %}
        score{{ i }}_{{ j }} = {% for s in range(split) %}{{ " + " if not loop.first }}parts[half + {{ (i * KEYS + j) * threads + s }}u + id - lane]{% endfor %};
{% endfor %}
{% endfor %}
        half = {{ threads * QUERIES * KEYS }}u - half;
{% endif %}
{% for i in range(QUERIES) %}
{% if masked %}
{% for j in range(KEYS) %}
        score{{ i }}_{{ j }} = select(LOWEST, score{{ i }}_{{ j }}, base + {{ j }}u <= query{{ i }});
{% endfor %}
{% endif %}
        let top{{ i }} = {% for j in range(KEYS) %}max(score{{ i }}_{{ j }}, {% endfor %}highest{{ i }}{{ ")" * KEYS }};
        let shrink{{ i }} = exp2(highest{{ i }} - top{{ i }});
        highest{{ i }} = top{{ i }};
        sum{{ i }} *= shrink{{ i }};
{% for j in range(KEYS) %}
        let weight{{ i }}_{{ j }} = exp2(score{{ i }}_{{ j }} - top{{ i }});
        sum{{ i }} += weight{{ i }}_{{ j }};
{% endfor %}
{% for e in range(own) %}
        o{{ i }}_{{ e }} *= shrink{{ i }};
{% endfor %}
{% endfor %}
{% for j in range(KEYS) %}
{% for e in range(own) %}
        let v{{ j }}_{{ e }} = load_v(kv_row + key{{ j }}, {{ at(e) }});
{% for i in range(QUERIES) %}
        o{{ i }}_{{ e }} = fma(vec4<f32>(weight{{ i }}_{{ j }}), v{{ j }}_{{ e }}, o{{ i }}_{{ e }});
{% endfor %}
{% endfor %}
{% endfor %}
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
{% if split > 1 %}
    let lane = id % {{ split }}u;
    let team = id / {{ split }}u;
    var half = 0u;
{% else %}
    let team = id;
{% endif %}
    // Later queries have more keys: their workgroups start first, so that the last to start are the shortest.
    let block = ({{ ceil_div(seq, block) - 1 }}u - group.x) * {{ block }}u;
    let q_row = (group.z * {{ heads }}u + group.y) * {{ seq }}u;
    let kv_row = (group.z * {{ kv_heads }}u + group.y / {{ heads // kv_heads }}u) * {{ seq }}u;
{% for i in range(QUERIES) %}
    let query{{ i }} = {% if ragged %}min(block + {{ i * teams }}u + team, {{ seq - 1 }}u){% else %}block + {{ i * teams }}u + team{% endif %};
    var highest{{ i }} = LOWEST;
    var sum{{ i }} = 0.0;
{% for e in range(own) %}
    let q{{ i }}_{{ e }} = load_q(q_row + query{{ i }}, {{ at(e) }}) * SCALE;
    var o{{ i }}_{{ e }} = vec4<f32>();
{% endfor %}
{% endfor %}

    // Up to the block's first query no key needs a mask.
    let open = (block + 1u) / {{ KEYS }}u * {{ KEYS }}u;
    for (var base = 0u; base < open; base += {{ KEYS }}u) {
{{ step(false) }}    }
    let end = {% if ragged %}min(block + {{ block }}u, {{ seq }}u){% else %}block + {{ block }}u{% endif %};
    for (var base = open; base < end; base += {{ KEYS }}u) {
{{ step(true) }}    }

{% for i in range(QUERIES) %}
{% if ragged %}
    if (block + {{ i * teams }}u + team < {{ seq }}u) {
{% else %}
    {
{% endif %}
        let scale = 1.0 / sum{{ i }};
{% for e in range(own) %}
        store_o(q_row + query{{ i }}, {{ at(e) }}, o{{ i }}_{{ e }} * scale);
{% endfor %}
    }
{% endfor %}
}
