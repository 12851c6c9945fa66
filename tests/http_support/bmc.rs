//! A Redfish service as the DMTF's published examples show one (DSP2043, the mockups beside the schemas of DSP8010): resource
//! types, property names and the shape of links are theirs, the figures are ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Answer, Seen, Server};

pub const USER: &str = "operator";
pub const PASSWORD: &str = "hunter2-Zw7";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// What goes wrong, beyond what stands in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    Hang,
    Half,
    Error500,
    NoSessionLeft,
    /// The sessions that were given are forgotten, once.
    ForgetSessions,
}

/// The tree and the state behind it.
#[derive(Default)]
pub struct State {
    pub tree: BTreeMap<String, Value>,
    pub fault: Fault,
    pub open_sessions: Vec<String>,
    pub made_sessions: usize,
    /// Resources can be read by anyone.
    pub open_to_all: bool,
}

#[derive(Clone, Default)]
pub struct Bmc(pub Arc<Mutex<State>>);

fn link(path: &str) -> Value {
    json!({ "@odata.id": path })
}

impl Bmc {
    /// A rack server with a chassis, two power supplies and the legacy resource.
    pub fn rack_server() -> Self {
        let bmc = Self::default();
        bmc.put(
            "/redfish/v1/",
            json!({
                "@odata.type": "#ServiceRoot.v1_15_0.ServiceRoot", "RedfishVersion": "1.17.0", "Id": "RootService",
                "Chassis": link("/redfish/v1/Chassis"), "SessionService": link("/redfish/v1/SessionService"),
                "Links": { "Sessions": link(SESSIONS) },
            }),
        );
        bmc.add_chassis("1U", json!({
            "@odata.type": "#Chassis.v1_22_0.Chassis", "Name": "Computer System Chassis", "ChassisType": "RackMount",
            "EnvironmentMetrics": link("/redfish/v1/Chassis/1U/EnvironmentMetrics"),
            "PowerSubsystem": link("/redfish/v1/Chassis/1U/PowerSubsystem"), "Power": link("/redfish/v1/Chassis/1U/Power"),
        }));
        bmc.put(
            "/redfish/v1/Chassis/1U/EnvironmentMetrics",
            json!({
                "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics", "Name": "Chassis Environment Metrics",
                "PowerWatts": { "Reading": 374, "DataSourceUri": "/redfish/v1/Chassis/1U/Sensors/TotalPower" },
                "EnergykWh": { "Reading": 325_675 },
            }),
        );
        bmc.put(
            "/redfish/v1/Chassis/1U/PowerSubsystem",
            json!({
                "@odata.type": "#PowerSubsystem.v1_1_0.PowerSubsystem", "Name": "Power Subsystem for Chassis",
                "PowerSupplies": link("/redfish/v1/Chassis/1U/PowerSubsystem/PowerSupplies"),
            }),
        );
        let supplies = "/redfish/v1/Chassis/1U/PowerSubsystem/PowerSupplies";
        bmc.put(
            supplies,
            json!({
                "@odata.type": "#PowerSupplyCollection.PowerSupplyCollection", "Members@odata.count": 3,
                // A member that is listed twice is one supply.
                "Members": (["Bay1", "Bay2", "Bay1", "Bay3"].map(|bay| link(&format!("{supplies}/{bay}")))),
            }),
        );
        for (bay, input, output) in [("Bay1", 190.5, 178.0), ("Bay2", 187.0, 175.5)] {
            bmc.put(
                &format!("{supplies}/{bay}"),
                json!({
                    "@odata.type": "#PowerSupply.v1_5_0.PowerSupply", "Status": { "State": "Enabled", "Health": "OK" },
                    "Metrics": link(&format!("{supplies}/{bay}/Metrics")),
                }),
            );
            bmc.put(
                &format!("{supplies}/{bay}/Metrics"),
                json!({
                    "@odata.type": "#PowerSupplyMetrics.v1_0_1.PowerSupplyMetrics",
                    "InputPowerWatts": { "Reading": input }, "OutputPowerWatts": { "Reading": output },
                    "EnergykWh": { "Reading": 3_756.123_456_7 },
                }),
            );
        }
        bmc.put(
            &format!("{supplies}/Bay3"),
            json!({
                "@odata.type": "#PowerSupply.v1_5_0.PowerSupply", "Status": { "State": "Absent" },
            }),
        );
        bmc.put(
            "/redfish/v1/Chassis/1U/Power",
            json!({
                "@odata.type": "#Power.v1_7_1.Power", "PowerControl": [
                    { "MemberId": "0", "Name": "System Input Power", "PowerConsumedWatts": 344,
                      "PowerMetrics": { "IntervalInMin": 30, "AverageConsumedWatts": 319 },
                      "RelatedItem": [link("/redfish/v1/Systems/437XR1138R2"), link("/redfish/v1/Chassis/1U")] },
                    { "MemberId": "1", "Name": "CPU Sub-system Power", "PowerConsumedWatts": 120 },
                ],
            }),
        );
        bmc
    }

    pub fn put(&self, path: &str, mut resource: Value) {
        let id = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(fields) = resource.as_object_mut() {
            fields.insert("@odata.id".to_owned(), path.into());
            fields.entry("Id").or_insert_with(|| id.into());
        }
        self.0.lock().unwrap().tree.insert(path.to_owned(), resource);
    }

    pub fn remove(&self, path: &str) {
        self.0.lock().unwrap().tree.remove(path);
    }

    /// Adds a chassis to the collection.
    pub fn add_chassis(&self, id: &str, chassis: Value) {
        self.put(&format!("/redfish/v1/Chassis/{id}"), chassis);
        let paths: Vec<Value> = {
            let state = self.0.lock().unwrap();
            let is_chassis =
                |path: &&String| path.starts_with("/redfish/v1/Chassis/") && path.matches('/').count() == 4;
            state.tree.keys().filter(is_chassis).map(|path| link(path)).collect()
        };
        self.put("/redfish/v1/Chassis", json!({ "Members@odata.count": paths.len(), "Members": paths }));
    }

    /// Adds a chassis with an `EnvironmentMetrics` of its own.
    pub fn add_metered_chassis(&self, id: &str, watts: f64, chassis: Value) {
        let metrics = format!("/redfish/v1/Chassis/{id}/EnvironmentMetrics");
        let mut chassis = chassis;
        chassis["EnvironmentMetrics"] = link(&metrics);
        self.add_chassis(id, chassis);
        self.put(&metrics, json!({ "PowerWatts": { "Reading": watts } }));
    }

    pub fn change(&self, path: &str, pointer: &str, value: Value) {
        let mut state = self.0.lock().unwrap();
        let resource = state.tree.get_mut(path).unwrap_or_else(|| panic!("no {path}"));
        *resource.pointer_mut(pointer).unwrap_or_else(|| panic!("{path} has no {pointer}")) = value;
    }

    pub fn fail(&self, fault: Fault) {
        self.0.lock().unwrap().fault = fault;
    }

    pub fn made_sessions(&self) -> usize {
        self.0.lock().unwrap().made_sessions
    }

    pub fn open_sessions(&self) -> usize {
        self.0.lock().unwrap().open_sessions.len()
    }

    pub fn serve(&self, tls: Option<Arc<rustls::ServerConfig>>) -> Server {
        let bmc = self.clone();
        Server::start(tls, move |seen| bmc.answer(seen))
    }

    fn answer(&self, seen: &Seen) -> Answer {
        let mut state = self.0.lock().unwrap();
        let reading = seen.method == "GET" && seen.path != "/redfish/v1/";
        match state.fault {
            Fault::Hang if reading => return Answer::Hang,
            Fault::Half if reading => return Answer::Half(json!({ "PowerWatts": { "Reading": 374 } }).to_string()),
            Fault::Error500 if reading => return Answer::status(500),
            Fault::ForgetSessions => {
                state.open_sessions.clear();
                state.fault = Fault::None;
            }
            _ => {}
        }
        if seen.method == "POST" && seen.path == SESSIONS {
            return log_in(&mut state, seen);
        }
        if seen.method == "DELETE" {
            let token = seen.header("x-auth-token").to_owned();
            state.open_sessions.retain(|open| *open != token);
            return Answer::status(204);
        }
        let by_session = state.open_sessions.iter().any(|open| open == seen.header("x-auth-token"));
        let allowed =
            seen.path == "/redfish/v1/" || state.open_to_all || by_session || seen.header("authorization") == basic();
        if !allowed {
            return Answer::status(401);
        }
        match state.tree.get(&seen.path) {
            Some(resource) => Answer::json(resource),
            None => Answer::status(404),
        }
    }
}

fn log_in(state: &mut State, seen: &Seen) -> Answer {
    if state.fault == Fault::NoSessionLeft {
        let error =
            json!({ "error": { "@Message.ExtendedInfo": [{ "MessageId": "Base.1.16.SessionLimitExceeded" }] } });
        return Answer::Reply(503, Vec::new(), error.to_string());
    }
    let body: Value = serde_json::from_str(&seen.body).unwrap_or_default();
    if body["UserName"] != USER || body["Password"] != PASSWORD {
        return Answer::status(401);
    }
    state.made_sessions += 1;
    let token = format!("token-{}", state.made_sessions);
    state.open_sessions.push(token.clone());
    let location = format!("{SESSIONS}/{}", state.made_sessions);
    let headers = vec![("X-Auth-Token".to_owned(), token), ("Location".to_owned(), location)];
    Answer::Reply(201, headers, json!({ "Id": "1" }).to_string())
}

/// The header for user and password in the basic scheme, encoded by another program.
fn basic() -> &'static str {
    "Basic b3BlcmF0b3I6aHVudGVyMi1adzc="
}
