internal import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// Entry points for fuzzing: whether the bytes were accepted.
package enum RuntimeFuzzEntries {
    /// The text beside a committed offset.
    package static func offsetMetadata(_ bytes: RawSpan) -> Bool {
        let time = OffsetMetadata.partitionTime(String(decoding: [UInt8](copying: bytes), as: UTF8.self))
        guard time >= 0 else { return false }
        precondition(OffsetMetadata.partitionTime(OffsetMetadata.encode(partitionTime: time)) == time)
        return true
    }

    /// The position of a store in its changelog, as an engine keeps it.
    package static func storePosition(_ bytes: RawSpan) -> Bool {
        let engine = MemoryEngine()
        defer { engine.close() }
        do throws(StoreError) {
            try engine.setMetadata("position/s", [UInt8](copying: bytes))
            guard let position = try StorePosition(store: "s", in: engine) else { return false }
            try position.save(store: "s", in: engine)
            let again = try StorePosition(store: "s", in: engine)
            precondition(again == position)
            return true
        } catch {
            return false
        }
    }

    /// A record's headers, of which lineage's are taken out.
    package static func strippedHeaders(_ bytes: RawSpan) -> Bool {
        guard (try? Headers.validate(bytes)) != nil else {
            _ = StrippedHeaders(bytes)
            return false
        }
        let stripped = StrippedHeaders(bytes)
        precondition((try? Headers(encoded: stripped.list.span.bytes)) != nil)
        return true
    }
}
