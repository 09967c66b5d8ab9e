import CrashApplication
import Testing
import Tributary

/// The operators that neither the bank app nor the shop app has, killed as those are.
@Suite(.serialized, .timeLimit(.minutes(KilledApplication.isSoak ? 60 : 10))) struct DepotTests {
    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `calls, duplicates, throttles, latest values, times to live and ranks survive kills at random points`(
        _ guarantee: ProcessingGuarantee
    ) throws {
        let seed = KilledApplication.seed
        let run = try KilledApplication(DepotApplication.id, DepotApplication.topics, guarantee, seed: seed)
        let input = try DepotInput(run.log, seed: seed)
        let judge = DepotJudge(guarantee: guarantee, log: run.log, input: input, comment: run.comment)
        try run.begin(input, lag: judge.lag)
        for number in 0..<KilledApplication.kills { try run.kill(number) }
        try run.finish()
        let doubled = try judge.check()
        print("\(input.sent) parcels, \(doubled) doubled, kills \(run.points), \(run.comment)")
    }
}
