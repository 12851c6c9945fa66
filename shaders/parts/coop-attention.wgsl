{#- Causal attention on matrix units, f16 tensors. The including shader sets `hint` (1: ask for loops to be unrolled). -#}
enable f16;
enable wgpu_cooperative_matrix;
{% if hint == 1 %}
// unroll loops
{% endif %}

// o = softmax(q * k^T / sqrt(dim)) * v with a causal mask. A workgroup takes {{ bq }} queries, {{ rows }} a subgroup, and walks {{ BK }} keys at a
// time. Sums of the output stay in registers, where a single row of a matrix cannot be scaled; so they are only brought
// down to a new maximum, by way of workgroup memory, when a score exceeds the old one by {{ 8 }} powers of two. Until then
// weights may reach 256, which f16 holds as exactly as 1.
{% set ragged = seq % bq != 0 %}
{% set per = ceil_div(BK * dim // 8, threads) %}
{% set shares = ceil_div(rows, subgroup_max) %}
{% set quads = BK // 4 %}

// Below every score, and small enough that its exponential is 0.
const LOWEST = -3.4028234e38;
// 1 / sqrt(dim), and log2(e) because exp2 is what devices compute.
const SCALE = {{ 1.4426950408889634 / dim ** 0.5 }};

struct Eight {
    low: vec4<f16>,
    high: vec4<f16>,
}

@group(0) @binding(0) var<storage, read> q: array<f16>;
@group(0) @binding(1) var<storage, read> k: array<Eight>;
@group(0) @binding(2) var<storage, read> v: array<Eight>;
@group(0) @binding(3) var<storage, read_write> o: array<vec4<f16>>;

// [key][dimension / 4], [query][key / 4]; 16 bytes of padding per row.
var<workgroup> keys: array<vec4<f16>, {{ BK * pitch_kv }}>;
var<workgroup> values: array<vec4<f16>, {{ BK * pitch_kv }}>;
var<workgroup> scores: array<vec4<f32>, {{ bq * pitch_s }}>;
var<workgroup> weights: array<vec4<f16>, {{ bq * pitch_w }}>;
// 1 while some row has a maximum that its sums must be brought down to.
var<workgroup> grown: u32;
{# The columns 16 * j of the sums into `scores`, and whatever is done to each row there. #}
{% macro exchange(j, indent) %}
{% for i in range(QM) %}
{{ indent }}coopStoreT(o{{ i }}_{{ j }}, &scores[(line + {{ 16 * i }}u) * {{ pitch_s }}u], {{ pitch_s }}u);
{% endfor %}
{{ indent }}workgroupBarrier();
{% endmacro %}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) own: u32,
) {
    // Later queries have more keys: their workgroups start first, so that the last to start are the shortest.
    let block = ({{ ceil_div(seq, bq) - 1 }}u - group.x) * {{ bq }}u;
    let q_row = (group.z * {{ heads }}u + group.y) * {{ seq }}u;
    let kv_row = (group.z * {{ kv_heads }}u + group.y / {{ heads // kv_heads }}u) * {{ seq }}u;
    // First row of this subgroup in workgroup memory.
    let line = subgroup * {{ rows }}u;
    // First query of each 16; those past the end are moved back onto earlier ones and write the same rows.
{% for i in range(QM) %}
    let first{{ i }} = {% if ragged %}min(block + line + {{ 16 * i }}u, {{ seq - 16 }}u){% else %}block + line + {{ 16 * i }}u{% endif %};
{% for j in range(frags_d) %}
    var o{{ i }}_{{ j }}: coop_mat16x16<f32, C>;
{% endfor %}
{% endfor %}
    // Rows whose softmax this lane computes; lanes without one repeat the last, but do not scale it.
{% for r in range(shares) %}
    let mine{{ r }} = {% if subgroup_max > rows %}min(own, {{ rows - 1 }}u){% else %}own + {{ r * subgroup_max }}u{% endif %};
    let query{{ r }} = {% if QM == 2 %}select(first0, first1, mine{{ r }} >= 16u){% else %}first0{% endif %} + mine{{ r }} % 16u;
    let score{{ r }} = (line + mine{{ r }}) * {{ pitch_s }}u;
    var highest{{ r }} = LOWEST;
    var sum{{ r }} = 0.0;
{% endfor %}
    grown = 0u;

    // Keys after the last query of the block are never touched.
    let end = min(block + {{ bq }}u, {{ seq }}u);
    for (var base = 0u; base < end; base += {{ BK }}u) {
{% for p in range(per) %}
        {% if (p + 1) * threads > BK * dim // 8 %}if (lane < {{ BK * dim // 8 - p * threads }}u) {% endif %}{
            let key = ({{ p * threads }}u + lane) / {{ dim // 8 }}u;
            let unit = ({{ p * threads }}u + lane) % {{ dim // 8 }}u;
            let at = (kv_row + {% if seq % BK != 0 %}min(base + key, {{ seq - 1 }}u){% else %}base + key{% endif %}) * {{ dim // 8 }}u + unit;
            let some_keys = k[at];
            let some_values = v[at];
            let slot = key * {{ pitch_kv }}u + 2u * unit;
            keys[slot] = some_keys.low;
            keys[slot + 1u] = some_keys.high;
            values[slot] = some_values.low;
            values[slot + 1u] = some_values.high;
        }
{% endfor %}
        workgroupBarrier();

{% for i in range(QM) %}
{% for j in range(BK // 16) %}
        var s{{ i }}_{{ j }}: coop_mat16x16<f32, C>;
{% endfor %}
{% endfor %}
{% for kk in range(frags_d) %}
        {
{% for i in range(QM) %}
            let q{{ i }} = coopLoadT<coop_mat16x16<f16, A>>(&q[(q_row + first{{ i }}) * {{ dim }}u + {{ 16 * kk }}u], {{ dim }}u);
{% endfor %}
{% for j in range(BK // 16) %}
            // Columns are keys, whose elements follow one another.
            let k{{ j }} = coopLoad<coop_mat16x16<f16, B>>(&keys[{{ 16 * j * pitch_kv + 4 * kk }}u], {{ pitch_kv }}u);
{% for i in range(QM) %}
            s{{ i }}_{{ j }} = coopMultiplyAdd(q{{ i }}, k{{ j }}, s{{ i }}_{{ j }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
{% for i in range(QM) %}
{% for j in range(BK // 16) %}
        coopStoreT(s{{ i }}_{{ j }}, &scores[(line + {{ 16 * i }}u) * {{ pitch_s }}u + {{ 4 * j }}u], {{ pitch_s }}u);
{% endfor %}
{% endfor %}
        workgroupBarrier();

        let ahead = vec4<u32>(base) + vec4<u32>(0u, 1u, 2u, 3u);
{% for r in range(shares) %}
{% for g in range(quads) %}
        var p{{ r }}_{{ g }} = select(vec4<f32>(LOWEST), scores[score{{ r }} + {{ g }}u] * SCALE, ahead + {{ 4 * g }}u <= vec4<u32>(query{{ r }}));
{% endfor %}
        let most{{ r }} = {% for g in range(1, quads) %}max(p{{ r }}_{{ g }}, {% endfor %}p{{ r }}_0{{ ")" * (quads - 1) }};
        let peak{{ r }} = max(max(most{{ r }}.x, most{{ r }}.y), max(most{{ r }}.z, most{{ r }}.w));
        highest{{ r }} = select(highest{{ r }}, peak{{ r }}, base == 0u);
        if (peak{{ r }} > highest{{ r }} + 8.0) {
            grown = 1u;
        }
{% endfor %}
        if (workgroupUniformLoad(&grown) == 1u) {
            grown = 0u;
{% for r in range(shares) %}
            let top{{ r }} = max(highest{{ r }}, peak{{ r }});
            let shrink{{ r }} = exp2(highest{{ r }} - top{{ r }});
            highest{{ r }} = top{{ r }};
            sum{{ r }} *= shrink{{ r }};
{% endfor %}
{% for j in range(frags_d) %}
{{ exchange(j, "            ") }}
{%- for r in range(shares) %}
            {% if subgroup_max > rows %}if (own < {{ rows }}u) {% endif %}{
{% for g in range(4) %}
                scores[score{{ r }} + {{ g }}u] *= shrink{{ r }};
{% endfor %}
            }
{% endfor %}
            workgroupBarrier();
{% for i in range(QM) %}
            o{{ i }}_{{ j }} = coopLoadT<coop_mat16x16<f32, C>>(&scores[(line + {{ 16 * i }}u) * {{ pitch_s }}u], {{ pitch_s }}u);
{% endfor %}
            workgroupBarrier();
{% endfor %}
        }
{% for r in range(shares) %}
{% for g in range(quads) %}
        p{{ r }}_{{ g }} = exp2(p{{ r }}_{{ g }} - highest{{ r }});
        sum{{ r }} += dot(p{{ r }}_{{ g }}, vec4<f32>(1.0));
        weights[(line + mine{{ r }}) * {{ pitch_w }}u + {{ g }}u] = vec4<f16>(p{{ r }}_{{ g }});
{% endfor %}
{% endfor %}
        workgroupBarrier();

{% for kk in range(BK // 16) %}
        {
{% for i in range(QM) %}
            let w{{ i }} = coopLoadT<coop_mat16x16<f16, A>>(&weights[(line + {{ 16 * i }}u) * {{ pitch_w }}u + {{ 4 * kk }}u], {{ pitch_w }}u);
{% endfor %}
{% for j in range(frags_d) %}
            let v{{ j }} = coopLoadT<coop_mat16x16<f16, B>>(&values[{{ 16 * kk * pitch_kv + 4 * j }}u], {{ pitch_kv }}u);
{% for i in range(QM) %}
            o{{ i }}_{{ j }} = coopMultiplyAdd(w{{ i }}, v{{ j }}, o{{ i }}_{{ j }});
{% endfor %}
{% endfor %}
        }
{% endfor %}
        workgroupBarrier();
    }

{% for r in range(shares) %}
    let part{{ r }} = 1.0 / sum{{ r }};
    let out{{ r }} = (q_row + query{{ r }}) * {{ dim // 4 }}u;
{% endfor %}
{% for j in range(frags_d) %}
{{ exchange(j, "    ") }}
{%- for r in range(shares) %}
{% for g in range(4) %}
    o[out{{ r }} + {{ 4 * j + g }}u] = vec4<f16>(scores[score{{ r }} + {{ g }}u] * part{{ r }});
{% endfor %}
{% endfor %}
    workgroupBarrier();
{% endfor %}
}
