import TestSupport
import Testing
import Tributary
import TributaryLMDB
import TributaryState

/// `tributary store verify` on sound and damaged state.
@Suite(.timeLimit(.minutes(10))) struct StoreVerifyTests {
    private let folder: TemporaryFolder
    private var file: String { folder.path + "/state/0_0/state.mdb" }

    init() throws {
        folder = try TemporaryFolder()
        let engine = try LMDBStateEngine(
            directory: folder.path + "/state/0_0", options: LMDBStateOptions(mapSize: 1 << 26))
        let table = try engine.table("counts")
        for key in 0..<1000 {
            let bytes = Array("key \(key)".utf8)
            try table.put(bytes.span.bytes, Array("value \(key)".utf8).span.bytes)
        }
        try engine.commit()
        engine.close()
    }

    private func verify() async -> CommandRun { await CommandRun("store", "verify", "--state", folder.path + "/state") }

    @Test func `sound state is said to be well`() async {
        let run = await verify()
        #expect(run.status == 0, "\(run.complaint)")
        #expect(run.text == "1,001 rows: all is well")
    }

    @Test(arguments: [FlipPlace.meta, .branch, .leafHead])
    func `damage is told with its task, and ends with 1`(place: FlipPlace) async throws {
        let map = try LMDBFileMap(file)
        var found = 0
        for flip in map.flips(place, count: 40, seed: 3) {
            try flip.apply(to: file)
            let run = await verify()
            if run.status == 1 {
                found += 1
                #expect(run.output.first?.hasPrefix("task 0_0: ") == true, "\(flip): \(run.text)")
            } else {
                #expect(run.status == 0 && run.text.hasSuffix("all is well"), "\(flip): \(run.text)")
            }
            try flip.apply(to: file)
        }
        #expect(found > 10)
        #expect(await verify().status == 0)
    }

    @Test func `rows that are not what was written are counted by table`() async throws {
        let map = try LMDBFileMap(file)
        let text = Array("value 77".utf8)
        let all = try contents(file)
        let place = try #require((0..<(all.count - 8)).last { Array(all[$0..<($0 + 8)]) == text })
        #expect(map.bytes(.leafBody).contains { $0.contains(place) })
        try BitFlip(offset: place, bit: 0).apply(to: file)
        let run = await verify()
        #expect(
            run.status == 1 && run.output.first == "task 0_0: 1 rows of counts are not what was written", "\(run.text)")
    }
}
