//! llama.cpp's names of tensors, which are the same for all architectures.

use super::super::Role;

/// The name without `.weight` or `.bias`.
pub fn name(role: Role) -> String {
    let (layer, part) = match role {
        Role::Embedding => return "token_embd".into(),
        Role::Positions => return "position_embd".into(),
        Role::Head => return "output".into(),
        Role::FinalNorm => return "output_norm".into(),
        Role::AttentionNorm(l) => (l, "attn_norm"),
        Role::Query(l) => (l, "attn_q"),
        Role::Key(l) => (l, "attn_k"),
        Role::Value(l) => (l, "attn_v"),
        Role::QueryKeyValue(l) => (l, "attn_qkv"),
        Role::QueryNorm(l) => (l, "attn_q_norm"),
        Role::KeyNorm(l) => (l, "attn_k_norm"),
        Role::AttentionOutput(l) => (l, "attn_output"),
        Role::AttentionOutputNorm(l) => (l, "post_attention_norm"),
        Role::MlpNorm(l) => (l, "ffn_norm"),
        Role::Gate(l) => (l, "ffn_gate"),
        // Phi-3's gate and up projection are one tensor, under the name of the second.
        Role::Up(l) | Role::GateUp(l) => (l, "ffn_up"),
        Role::Down(l) => (l, "ffn_down"),
        Role::MlpOutputNorm(l) => (l, "post_ffw_norm"),
        Role::Router(l) => (l, "ffn_gate_inp"),
        Role::ExpertGate(l, _) => (l, "ffn_gate_exps"),
        Role::ExpertUp(l, _) => (l, "ffn_up_exps"),
        Role::ExpertDown(l, _) => (l, "ffn_down_exps"),
        Role::SharedGate(l) => (l, "ffn_gate_shexp"),
        Role::SharedUp(l) => (l, "ffn_up_shexp"),
        Role::SharedDown(l) => (l, "ffn_down_shexp"),
        Role::SharedRouter(l) => (l, "ffn_gate_inp_shexp"),
    };
    format!("blk.{layer}.{part}")
}
