//! Our items to protocol messages and back, without a loss in either direction: what `sensor tail` prints is what the sensor itself prints.

mod decode;
mod encode;

pub use decode::{ConvertError, decode};
pub use encode::{encode, level as encode_level};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Level,
        proto,
        sink::{json, sample},
    };
    use prost::Message;
    use sensor_common::{EventKind, Tier, stats::Reason};

    #[test]
    fn every_item_survives_the_way_there_and_back() {
        let origin = sample::origin();
        let writer = json::Writer::new(&origin);
        for item in sample::items() {
            let sent = encode(&item, &origin).encode_to_vec();
            let (from, back) = decode(proto::Item::decode(sent.as_slice()).unwrap()).unwrap();
            assert_eq!(from, origin);
            assert_eq!(format!("{back:?}"), format!("{item:?}"));
            let (mut a, mut b) = (Vec::new(), Vec::new());
            writer.write(&item, &mut a);
            writer.write(&back, &mut b);
            assert_eq!(String::from_utf8(a).unwrap(), String::from_utf8(b).unwrap());
        }
    }

    #[test]
    fn the_protocols_numbers_are_the_registrys() {
        for kind in EventKind::ALL {
            let name = proto::EventKind::try_from(i32::from(*kind as u16)).unwrap().as_str_name().to_owned();
            assert_eq!(name, format!("EVENT_KIND_{}", kind.as_str().to_uppercase()));
        }
        for (tier, name) in Tier::ALL.iter().zip(["KPROBE", "FENTRY", "BTF_TRACEPOINT", "CGROUP", "TRACEPOINT", "USER_SPACE"]) {
            assert_eq!(proto::HookTier::try_from(i32::from(*tier as u8)).unwrap().as_str_name(), format!("HOOK_TIER_{name}"));
        }
        for reason in Reason::ALL.iter().filter(|r| **r != Reason::Sent) {
            let name = proto::LossReason::try_from(i32::try_from(*reason as u32).unwrap()).unwrap().as_str_name().to_owned();
            assert_eq!(name, format!("LOSS_REASON_{}", reason.as_str().to_uppercase()));
        }
        for level in Level::ALL {
            assert_eq!(encode_level(*level).as_str_name(), format!("LEVEL_{}", level.as_str().to_uppercase()));
        }
    }

    #[test]
    fn an_item_of_a_newer_sensor_is_named_as_such() {
        assert_eq!(decode(proto::Item { sequence: 9, ..Default::default() }).unwrap_err(), ConvertError::UnknownItem { sequence: 9 });
        let event = proto::Event { body: Some(proto::event::Body::Fork(proto::Fork::default())), tier: 99, ..Default::default() };
        let item = proto::Item { sequence: 9, body: Some(proto::item::Body::Event(event)), ..Default::default() };
        assert_eq!(decode(item).unwrap_err(), ConvertError::UnknownValue { field: "tier", value: 99 });
    }
}
