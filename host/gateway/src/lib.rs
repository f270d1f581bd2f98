//! The reference AI gateway: wiring of the decision, the tokens and the proxy.
