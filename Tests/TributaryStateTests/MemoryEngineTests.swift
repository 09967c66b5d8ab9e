import Testing
import TributaryCore
import TributaryState
import TributaryTesting

@Suite struct MemoryEngineTests {
    @Test(arguments: StateEngineConformance.checks)
    func `the memory engine conforms`(check: StateEngineConformance.Check) throws {
        try StateEngineConformance(makeEngine: { MemoryEngine() }).run(check)
    }

    @Test(arguments: UInt64(2)...8)
    func `random operations agree with the model for other seeds`(seed: UInt64) throws {
        let suite = StateEngineConformance(seed: seed, makeEngine: { MemoryEngine() })
        for check in StateEngineConformance.checks where check.name.hasPrefix("random") { try suite.run(check) }
    }
}
