import TestSupport
import Testing
import Tributary

private let isSoak = environment("TRIBUTARY_SOAK") != nil

/// The bank app while somebody sets the machine's clock, an hour back and a day forward, again and again.
@Suite(.serialized, .timeLimit(.minutes(isSoak ? 60 : 10))) struct ClockJumpTests {
    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `clocks that jump hold up nothing, lose nothing and double nothing`(_ guarantee: ProcessingGuarantee) throws {
        let seed = environment("TRIBUTARY_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
        let run = try CrashRun(guarantee, seed: seed)
        var jumps = 0
        let runs = isSoak ? 50 : 2
        for number in 0..<runs { jumps += try run.work(withJumpsEvery: 100, number) }
        try run.finish()
        try run.check()
        try run.checkRestored()
        print("\(guarantee.rawValue): \(jumps) jumps of the clock in \(runs) runs, every result right")
    }
}
