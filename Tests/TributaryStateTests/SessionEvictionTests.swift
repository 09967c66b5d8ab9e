import Testing
import TributaryCore
import TributaryLineage
import TributaryState

/// A session store whose cache has no more room in the middle of a merge.
@Suite struct SessionEvictionTests {
    private final class NoTopics: TopicNames {
        func nameLength(ofTopic number: Int32) -> Int { 0 }
    }

    private final class Changelog: ChangelogWriter {
        var steps: [String] = []

        func append(_ record: borrowing OutgoingRecord) { steps.append(record.value == nil ? "delete" : "put") }
        func holdUntilCommit() { steps.append("hold") }
    }

    private func key(_ end: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(utf8: "k")
        writer.append(bigEndian: end)
        writer.append(bigEndian: Int64(0))
        return writer.copy()
    }

    @Test(arguments: [StoreDescription.Kind.session(retention: 1000), .timestampedKeyValue])
    func `a session's deletion that is evicted waits for the commit, with what it is merged into`(
        _ kind: StoreDescription.Kind
    ) throws {
        let changelog = Changelog()
        let store = try StateStore(
            StoreDescription(name: "s", kind: kind, isCached: true), engine: MemoryEngine(),
            recorder: LineageRecorder(mode: .off), changelog: changelog, budget: CacheBudget(limit: 400),
            topics: NoTopics())
        let none = CollectionOfOne(Lineage.none)
        func write(_ end: Int64, _ value: [UInt8]?) throws {
            let key = key(end)
            let meta = RecordMeta(
                key: key.span.bytes, hasKey: true, keyIsStale: false, timestamp: end, origin: .none,
                headers: RawSpan.empty, lineage: none.span)
            if let value {
                _ = try store.write(
                    key.span.bytes, value.span.bytes, timestamp: end, cell: .empty, link: .superseded, row: nil, meta)
            } else {
                _ = try store.write(
                    key.span.bytes, nil, timestamp: end, cell: .empty, link: .deleted, row: nil, meta)
            }
        }
        let large = [UInt8](repeating: 1, count: 150)
        try write(1, large)
        try write(2, large)
        try write(3, large)
        // What has no room any more is written; that is whole.
        #expect(!changelog.steps.isEmpty && !changelog.steps.contains("hold"))
        changelog.steps = []
        for end in 4..<20 as Range<Int64> { try write(end, nil) }
        let isSession = if case .session = kind { true } else { false }
        #expect(changelog.steps.contains("delete"))
        #expect(changelog.steps.contains("hold") == isSession)
        if isSession, let hold = changelog.steps.firstIndex(of: "hold") {
            #expect(!changelog.steps[..<hold].contains("delete"))
        }
    }
}
