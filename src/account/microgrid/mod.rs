//! A measured load against local generation and a battery, step by step, with the energy balance held in every step.
