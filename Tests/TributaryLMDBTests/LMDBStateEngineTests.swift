import TestSupport
import Testing
import TributaryCore
import TributaryLMDB
import TributaryState
import TributaryTesting

@Suite struct LMDBStateEngineTests {
    /// A suite that makes each engine in a folder of its own, which go with the value returned.
    static func suite(_ seed: UInt64, _ folders: Folders) -> StateEngineConformance {
        StateEngineConformance(
            seed: seed,
            makeEngine: { try LMDBStateEngine(directory: try folders.make(), options: testOptions) },
            reopen: { engine in
                guard let engine = engine as? LMDBStateEngine else { return engine }
                engine.close()
                return try LMDBStateEngine(directory: engine.directory, options: testOptions)
            })
    }

    @Test(arguments: StateEngineConformance.checks)
    func `the LMDB engine conforms`(check: StateEngineConformance.Check) throws {
        try Self.suite(1, Folders()).run(check)
    }

    @Test(arguments: UInt64(2)...6)
    func `random operations agree with the model for other seeds`(seed: UInt64) throws {
        let suite = Self.suite(seed, Folders())
        for check in StateEngineConformance.checks where check.name.hasPrefix("random") { try suite.run(check) }
    }
}

let testOptions = LMDBStateOptions(mapSize: 256 << 20, maximumTables: 32, durability: .fast)

/// Folders that are deleted together.
final class Folders {
    private var folders: [TemporaryFolder] = []

    func make() throws -> String {
        let folder = try TemporaryFolder()
        folders.append(folder)
        return folder.path + "/task"
    }
}
