import CrashApplication
import TestSupport
import Testing
import Tributary
import TributaryLMDB

private let isSoak = environment("TRIBUTARY_SOAK") != nil

/// How many kills, from `TRIBUTARY_KILLS`; else 10, or 200 in a soak.
private var kills: Int {
    environment("TRIBUTARY_KILLS").flatMap { Int($0) } ?? (isSoak ? 200 : 10)
}

private var seed: UInt64 {
    environment("TRIBUTARY_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
}

@Suite(.serialized, .timeLimit(.minutes(isSoak ? 60 : 3))) struct CrashTests {
    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `the bank app killed at random points loses nothing, and what is doubled shows`(
        _ guarantee: ProcessingGuarantee
    ) throws {
        let run = try CrashRun(guarantee, seed: seed)
        for number in 0..<kills { try run.kill(number) }
        try run.finish()
        try run.check()
        try run.checkRestored()
    }
}
