// A worker that waits for jobs without polling, until SIGINT or SIGTERM.
//
//     ./worker app.db &
//     sqlite3 app.db ".load ./libhonker_ext" "SELECT honker_enqueue('emails', '{\"to\":\"ann\"}', '{}')"
#include <honker.hpp>

#include <csignal>
#include <iostream>

namespace {

honker::Stop* stop = nullptr;

void send(const honker::json& email) {
    if (!email.contains("to")) {
        throw std::invalid_argument("the e-mail has no address");
    }
    std::cout << "sent to " << email["to"] << std::endl;
}

void handle(const honker::Job& job) {
    try {
        send(job.payload());
    } catch (const std::exception& error) {
        job.retry(60, error.what());  // after the last attempt, a dead letter
        return;
    }
    if (!job.ack()) {
        std::cerr << "the lease of job " << job.id() << " expired; it runs again\n";
    }
}

}  // namespace

int main(int count, char** arguments) {
    honker::Stop requested;
    stop = &requested;
    for (int signal : {SIGINT, SIGTERM}) {
        std::signal(signal, [](int) { stop->request(); });
    }
    honker::Database db{count > 1 ? arguments[1] : "app.db"};
    const auto emails = db.queue("emails").claim_waker();
    while (const auto job = emails.next("worker-1", requested)) {
        handle(*job);
    }
}
