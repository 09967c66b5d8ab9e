import CrashApplication
import Glibc
import TestSupport
import Testing
import Tributary
import TributaryCore

/// The operators that the bank app lacks, killed as it is.
@Suite(.serialized, .timeLimit(.minutes(KilledApplication.isSoak ? 60 : 10))) struct ShopTests {
    @Test(arguments: [ProcessingGuarantee.exactlyOnce, .atLeastOnce])
    func `sessions, sliding windows, suppressed results and all joins survive kills at random points`(
        _ guarantee: ProcessingGuarantee
    ) throws {
        let seed = KilledApplication.seed
        let run = try KilledApplication(ShopApplication.id, ShopApplication.topics, guarantee, seed: seed)
        let input = try ShopInput(run.log, seed: seed)
        let judge = ShopJudge(guarantee, run.log, input, state: run.state, comment: run.comment)
        try run.begin(input, lag: judge.lag)
        for number in 0..<KilledApplication.kills { try run.kill(number) }
        try run.finish()
        var doubled = try judge.checkOpen()
        try checkRestored(run, judge)
        try closeWindows(run, input)
        doubled += try judge.checkClosed()
        print("\(input.sent) events, \(doubled) rows doubled, kills \(run.points), \(run.comment)")
    }

    /// A state directory made from nothing but the changelogs holds the same rows.
    private func checkRestored(_ run: KilledApplication, _ judge: ShopJudge) throws {
        let before = try judge.stored()
        guard rename(run.state, run.folder.path + "/old-state") == 0 else { throw SystemFailure("rename") }
        let restoring = try run.start()
        #expect(restoring.read(milliseconds: 60_000) == "running\n", run.comment)
        restoring.signal(SIGTERM)
        #expect(restoring.wait() == 0, run.comment)
        for (store, rows) in try judge.stored() {
            #expect(
                rows.count == before[store]?.count && rows == before[store], "\(store) restored differs \(run.comment)")
        }
    }

    private func closeWindows(_ run: KilledApplication, _ input: ShopInput) throws {
        let closing = try run.start()
        // The second is for results that wait for some time since the ones before.
        for round in 0..<Int64(3) {
            try input.close(round)
            try run.waitUntilDone()
            usleep(60_000)
        }
        try run.stopWhenDone(closing)
    }
}
