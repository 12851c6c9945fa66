// o = softmax(q * k^T / sqrt(dim)) * v with a causal mask. A workgroup takes {{ BQ }} queries and walks {{ bk }} keys at a time: an
// invocation computes {{ ROWS }} x {{ cols }} scores from keys in workgroup memory, exchanges the rows' maxima, leaves its weights
// there, and adds to its {{ ROWS }} x {{ own }} vec4 of the output. Queries are read through the cache.
{% set wide = dim % 4 == 0 %}
{% set half = element_bytes == 2 %}
{% set scalar = "f16" if half else "f32" %}
{% set storage = "vec4<" ~ scalar ~ ">" if wide else scalar %}
{% set quads = ROWS // 4 %}
{% set ragged = seq % BQ != 0 or seq % bk != 0 %}
{% set exact = d4 % TX == 0 %}
{% set slots = bk * d4 %}
{% set axes = ["x", "y", "z", "w"] %}
{% set unroll = gcd(d4, UNROLL) %}

// Below every score, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;
// 1 / sqrt(dim), and log2(e) because exp2 is what devices compute.
const SCALE = {{ 1.4426950408889634 / dim ** 0.5 }};

@group(0) @binding(0) var<storage, read> q: array<{{ storage }}>;
@group(0) @binding(1) var<storage, read> k: array<{{ storage }}>;
@group(0) @binding(2) var<storage, read> v: array<{{ storage }}>;
@group(0) @binding(3) var<storage, read_write> o: array<{{ storage }}>;

// Keys, then values, of a step; a row has one vec4 of padding, so that lanes on neighbouring keys meet distinct banks.
var<workgroup> tile: array<vec4<f32>, {{ bk * (d4 + 1) }}>;
// Weights of a step: [key][query / 4].
var<workgroup> weights: array<vec4<f32>, {{ bk * pitch }}>;
// Largest score of each lane's own keys, in the end the sum of its weights: [lane][query / 4].
var<workgroup> lanes: array<vec4<f32>, {{ TX * pitch }}>;

{% for name in ["q", "k", "v"] %}
// Four elements of row `row` of {{ name }}, from dimension 4 * `at`{{ "; 0 past the last" if not wide }}.
fn load_{{ name }}(row: u32, at: u32) -> vec4<f32> {
{% if wide %}
    return vec4<f32>({{ name }}[row * {{ d4 }}u + at]);
{% else %}
    let start = row * {{ dim }}u;
    let first = 4u * at;
    return vec4<f32>(
{% for i in range(4) %}
        select(0.0, f32({{ name }}[start + min(first + {{ i }}u, {{ dim - 1 }}u)]), first + {{ i }}u < {{ dim }}u),
{% endfor %}
    );
{% endif %}
}

{% endfor %}
fn store_o(row: u32, at: u32, value: vec4<f32>) {
{% if wide %}
    o[row * {{ d4 }}u + at] = vec4<{{ scalar }}>(value);
{% else %}
    let first = 4u * at;
    let start = row * {{ dim }}u + first;
{% for axis in axes %}
    if (first + {{ loop.index0 }}u < {{ dim }}u) {
        o[start + {{ loop.index0 }}u] = {{ scalar }}(value.{{ axis }});
    }
{% endfor %}
{% endif %}
}
{# Rows base .. base + bk of k or v into the tile, all invocations together. #}
{% macro stage(name) %}
{% for p in range(ceil_div(slots, threads)) %}
        {
            let slot = {{ p * threads }}u + id;
{% if (p + 1) * threads > slots %}
            if (slot < {{ slots }}u) {
{% else %}
            {
{% endif %}
                let key = slot / {{ d4 }}u;
                let at = slot % {{ d4 }}u;
                tile[key * {{ d4 + 1 }}u + at] = load_{{ name }}(kv_row + {% if ragged %}min(base + key, {{ seq - 1 }}u){% else %}base + key{% endif %}, at);
            }
        }
{% endfor %}
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) id: u32) {
    let tx = id % {{ TX }}u;
    let ty = id / {{ TX }}u;
    // Later queries have more keys: their workgroups start first, so that the last to start are the shortest.
    let block = ({{ ceil_div(seq, BQ) - 1 }}u - group.x) * {{ BQ }}u;
    let q_row = (group.z * {{ heads }}u + group.y) * {{ seq }}u;
    let kv_row = (group.z * {{ kv_heads }}u + group.y / {{ heads // kv_heads }}u) * {{ seq }}u;
    let mine = block + ty * {{ ROWS }}u;
{% for r in range(ROWS) %}
    let row{{ r }} = q_row + {% if ragged %}min(mine + {{ r }}u, {{ seq - 1 }}u){% else %}mine + {{ r }}u{% endif %};
{% endfor %}
{% for g in range(quads) %}
    var highest{{ g }} = vec4<f32>(LOWEST);
    var sum{{ g }} = vec4<f32>();
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(own) %}
    var o{{ r }}_{{ j }} = vec4<f32>();
{% endfor %}
{% endfor %}

    // Keys after the last query of the block are never touched.
    let end = min(block + {{ BQ }}u, {{ seq }}u);
    for (var base = 0u; base < end; base += {{ bk }}u) {
{{ stage("k") }}        workgroupBarrier();

{% for g in range(quads) %}
{% for c in range(cols) %}
        var s{{ g }}_{{ c }} = vec4<f32>();
{% endfor %}
{% endfor %}
        for (var i = 0u; i < {{ d4 }}u; i += {{ unroll }}u) {
{% for u in range(unroll) %}
            {
{% for c in range(cols) %}
                let k{{ c }} = tile[(tx + {{ c * TX }}u) * {{ d4 + 1 }}u + i{{ " + " ~ u ~ "u" if u > 0 }}];
{% endfor %}
{% for r in range(ROWS) %}
                let q{{ r }} = load_q(row{{ r }}, i{{ " + " ~ u ~ "u" if u > 0 }});
{% endfor %}
{% for c in range(cols) %}
{% for g in range(quads) %}
{% for axis in axes %}
                s{{ g }}_{{ c }} = fma(vec4<f32>(q{{ 4 * g }}.{{ axis }}, q{{ 4 * g + 1 }}.{{ axis }}, q{{ 4 * g + 2 }}.{{ axis }}, q{{ 4 * g + 3 }}.{{ axis }}), vec4<f32>(k{{ c }}.{{ axis }}), s{{ g }}_{{ c }});
{% endfor %}
{% endfor %}
{% endfor %}
            }
{% endfor %}
        }

{% for g in range(quads) %}
        let query{{ g }} = vec4<u32>(mine + {{ 4 * g }}u) + vec4<u32>(0u, 1u, 2u, 3u);
{% for c in range(cols) %}
        s{{ g }}_{{ c }} = select(vec4<f32>(LOWEST), s{{ g }}_{{ c }} * SCALE, vec4<u32>(base + tx + {{ c * TX }}u) <= query{{ g }});
{% endfor %}
        lanes[tx * {{ pitch }}u + ty * {{ quads }}u + {{ g }}u] = {% for c in range(1, cols) %}max(s{{ g }}_{{ c }}, {% endfor %}s{{ g }}_0{{ ")" * (cols - 1) }};
{% endfor %}
        workgroupBarrier();

{% for g in range(quads) %}
        var top{{ g }} = highest{{ g }};
{% endfor %}
{% for t in range(TX) %}
{% for g in range(quads) %}
        top{{ g }} = max(top{{ g }}, lanes[{{ t * pitch + g }}u + ty * {{ quads }}u]);
{% endfor %}
{% endfor %}
{% for g in range(quads) %}
        let shrink{{ g }} = exp2(highest{{ g }} - top{{ g }});
        highest{{ g }} = top{{ g }};
        sum{{ g }} *= shrink{{ g }};
{% for c in range(cols) %}
        s{{ g }}_{{ c }} = exp2(s{{ g }}_{{ c }} - top{{ g }});
        sum{{ g }} += s{{ g }}_{{ c }};
        weights[(tx + {{ c * TX }}u) * {{ pitch }}u + ty * {{ quads }}u + {{ g }}u] = s{{ g }}_{{ c }};
{% endfor %}
{% endfor %}
{% for r in range(ROWS) %}
{% for j in range(own) %}
        o{{ r }}_{{ j }} *= shrink{{ r // 4 }}.{{ axes[r % 4] }};
{% endfor %}
{% endfor %}
{{ stage("v") }}        workgroupBarrier();

        for (var i = 0u; i < {{ bk }}u; i += {{ gcd(bk, UNROLL) }}u) {
{% for u in range(gcd(bk, UNROLL)) %}
            {
{% for g in range(quads) %}
                let w{{ g }} = weights[(i + {{ u }}u) * {{ pitch }}u + ty * {{ quads }}u + {{ g }}u];
{% endfor %}
{% for j in range(own) %}
                let v{{ j }} = tile[(i + {{ u }}u) * {{ d4 + 1 }}u + {% if exact %}tx + {{ j * TX }}u{% else %}min(tx + {{ j * TX }}u, {{ d4 - 1 }}u){% endif %}];
{% for r in range(ROWS) %}
                o{{ r }}_{{ j }} = fma(vec4<f32>(w{{ r // 4 }}.{{ axes[r % 4] }}), v{{ j }}, o{{ r }}_{{ j }});
{% endfor %}
{% endfor %}
            }
{% endfor %}
        }
        workgroupBarrier();
    }

{% for g in range(quads) %}
    lanes[tx * {{ pitch }}u + ty * {{ quads }}u + {{ g }}u] = sum{{ g }};
    var total{{ g }} = vec4<f32>();
{% endfor %}
    workgroupBarrier();
{% for t in range(TX) %}
{% for g in range(quads) %}
    total{{ g }} += lanes[{{ t * pitch + g }}u + ty * {{ quads }}u];
{% endfor %}
{% endfor %}
{% for r in range(ROWS) %}
{% if ragged %}
    if (mine + {{ r }}u < {{ seq }}u) {
{% else %}
    {
{% endif %}
        let share = 1.0 / total{{ r // 4 }}.{{ axes[r % 4] }};
{% for j in range(own) %}
        {{ "if (tx + " ~ j * TX ~ "u < " ~ d4 ~ "u) { " if (j + 1) * TX > d4 }}store_o(row{{ r }}, tx + {{ j * TX }}u, o{{ r }}_{{ j }} * share);{{ " }" if (j + 1) * TX > d4 }}
{% endfor %}
    }
{% endfor %}
}
