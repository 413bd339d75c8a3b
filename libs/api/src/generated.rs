//! The generated code, and the descriptors that it was made from.
//!
//! Nothing here is written by hand; the build script makes it from `proto/`.

/// The descriptors of `mailfleet.v1` and of what it imports, with comments and options:
/// an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The messages, client and server of the package `mailfleet.v1`.
#[expect(clippy::allow_attributes_without_reason, reason = "the generator writes some")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/mailfleet.v1.rs"));
}

/// What other services are told.
pub mod events {
    /// The messages of the package `mailfleet.events.v1`.
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/mailfleet.events.v1.rs"));
    }
}

/// The messages of the package `mailfleet.queue.v1`, which stay inside this crate.
pub(crate) mod queue {
    #[expect(unreachable_pub, reason = "the generator knows one visibility")]
    pub(crate) mod v1 {
        include!(concat!(env!("OUT_DIR"), "/mailfleet.queue.v1.rs"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost_reflect::{DescriptorPool, FieldDescriptor, FileDescriptor, MessageDescriptor};

    use super::*;

    /// Everything, what travels over the broker included.
    fn pool() -> DescriptorPool {
        let everything = include_bytes!(concat!(env!("OUT_DIR"), "/all_descriptors.bin"));
        DescriptorPool::decode(everything.as_slice()).expect("a descriptor set")
    }

    fn is_ours(file: &FileDescriptor) -> bool {
        file.name().starts_with("mailfleet/")
    }

    /// The leading comment of every place in a file.
    fn comments(file: &FileDescriptor) -> BTreeMap<Vec<i32>, String> {
        let info = file.file_descriptor_proto().source_code_info.as_ref();
        info.into_iter()
            .flat_map(|info| &info.location)
            .filter_map(|at| Some((at.path.clone(), at.leading_comments.clone()?)))
            .collect()
    }

    /// Name and place of everything in a message.
    fn message_places(message: &MessageDescriptor) -> Vec<(String, Vec<i32>)> {
        let fields = message.fields().map(|f| (f.full_name().to_owned(), f.path().to_vec()));
        let oneofs = message
            .oneofs()
            .filter(|oneof| !oneof.is_synthetic())
            .map(|oneof| (oneof.full_name().to_owned(), oneof.path().to_vec()));
        let itself = (message.full_name().to_owned(), message.path().to_vec());
        std::iter::once(itself).chain(fields).chain(oneofs).collect()
    }

    fn places(pool: &DescriptorPool) -> Vec<(FileDescriptor, String, Vec<i32>)> {
        let mut places = Vec::new();
        for message in pool.all_messages().filter(|m| is_ours(&m.parent_file())) {
            let file = message.parent_file();
            places.extend(message_places(&message).into_iter().map(|(n, p)| (file.clone(), n, p)));
        }
        for list in pool.all_enums().filter(|list| is_ours(&list.parent_file())) {
            let file = list.parent_file();
            places.push((file.clone(), list.full_name().to_owned(), list.path().to_vec()));
            places.extend(
                list.values().map(|value| {
                    (file.clone(), value.full_name().to_owned(), value.path().to_vec())
                }),
            );
        }
        for service in pool.services().filter(|service| is_ours(&service.parent_file())) {
            let file = service.parent_file();
            places.push((file.clone(), service.full_name().to_owned(), service.path().to_vec()));
            places.extend(
                service
                    .methods()
                    .map(|rpc| (file.clone(), rpc.full_name().to_owned(), rpc.path().to_vec())),
            );
        }
        places
    }

    #[test]
    fn every_element_of_the_api_has_a_comment() {
        let places = places(&pool());
        assert!(places.len() > 300, "only {} places were found", places.len());
        for (file, name, path) in places {
            let comment = comments(&file).remove(&path).unwrap_or_default();
            assert!(!comment.trim().is_empty(), "{name} has no comment");
            assert!(comment.trim().ends_with(['.', ':']), "{name} is no sentence: {comment}");
        }
    }

    #[test]
    fn reflection_serves_the_public_api_only() {
        let public = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("a descriptor set");
        assert!(public.get_message_by_name("mailfleet.v1.Report").is_some());
        assert!(public.all_messages().all(|m| !m.full_name().starts_with("mailfleet.queue")));
    }

    #[test]
    fn every_secret_field_is_marked_for_redaction() {
        let pool = pool();
        let is_marked = |field: &FieldDescriptor| {
            let options = field.options();
            let mark = options.get_field_by_name("debug_redact");
            mark.and_then(|mark| mark.as_bool()).unwrap_or(false)
        };
        let marked: Vec<String> = pool
            .all_messages()
            .flat_map(|message| message.fields().collect::<Vec<_>>())
            .filter(is_marked)
            .map(|field| field.full_name().to_owned())
            .collect();
        assert_eq!(marked, ["mailfleet.v1.Login.password", "mailfleet.v1.Login.access_token"]);
    }
}
