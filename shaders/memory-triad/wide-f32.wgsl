// a = b + 0.4 * c, {{ unit }} element(s) at a time.
{% set type = "vec4<u64>" if unit == 8 else "f32" %}
{% set ragged = units % (WG * PER * RUN) != 0 or groups != fold_x(groups) * fold_y(groups) %}

@group(0) @binding(0) var<storage, read> b: array<{{ type }}>;
@group(0) @binding(1) var<storage, read> c: array<{{ type }}>;
@group(0) @binding(2) var<storage, read_write> a: array<{{ type }}>;
{% if unit == 8 %}

fn low(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs));
}

fn high(pairs: vec4<u64>) -> vec4<f32> {
    return bitcast<vec4<f32>>(vec4<u32>(pairs >> vec4<u32>(32u)));
}

fn pack(low: vec4<f32>, high: vec4<f32>) -> vec4<u64> {
    return vec4<u64>(bitcast<vec4<u32>>(low)) | (vec4<u64>(bitcast<vec4<u32>>(high)) << vec4<u32>(32u));
}

fn compute(b: vec4<u64>, c: vec4<u64>) -> vec4<u64> {
    let factor = vec4<f32>(0.4);
    return pack(fma(factor, low(c), low(b)), fma(factor, high(c), high(b)));
}
{% else %}

fn compute(b: f32, c: f32) -> f32 {
    return fma(0.4, c, b);
}
{% endif %}

@compute @workgroup_size({{ WG }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.y * {{ fold_x(groups) }}u + group.x) * {{ WG * PER * RUN }}u + lane;
    for (var i = 0u; i < {{ RUN }}u; i++) {
{% for p in range(PER) %}
        let at{{ p }} = first + i * {{ WG * PER }}u + {{ p * WG }}u;
        let from{{ p }} = {% if ragged %}min(at{{ p }}, {{ units - 1 }}u){% else %}at{{ p }}{% endif %};
        let value{{ p }} = compute(b[from{{ p }}], c[from{{ p }}]);
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
}
