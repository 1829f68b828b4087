import { address, parse, type Route } from "./route";

/** The address of the page as state. */
export class Router {
  route = $state<Route>(parse(location.hash));

  #read = () => (this.route = parse(location.hash));

  start(): void {
    window.addEventListener("hashchange", this.#read);
  }

  stop(): void {
    window.removeEventListener("hashchange", this.#read);
  }

  go(route: Route): void {
    const to = address(route);
    if (location.hash !== to) location.hash = to;
    this.route = route;
  }

  /** Goes to an address as a link would. */
  visit(hash: string): void {
    location.hash = hash;
    this.#read();
  }

  /** Changes the address without adding a step to go back to, for selections in a list. */
  replace(route: Route): void {
    history.replaceState(history.state, "", address(route));
    this.route = route;
  }
}
